/** Figures from /metrics. */

/** The sum over all labels; 0 when there is none yet. */
export async function metric(endpoint: string, name: string): Promise<number> {
  const answer = await fetch(`http://${endpoint}/metrics`);
  const text = await answer.text();
  let sum = 0;
  for (const line of text.split("\n")) {
    if (!line.startsWith(name)) continue;
    const after = line[name.length];
    if (after === " " || after === "{") sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  }
  return sum;
}
