/** Figures from /metrics. */

/** All samples, by name and labels as they stand there. */
export async function metrics(endpoint: string): Promise<Map<string, number>> {
  const answer = await fetch(`http://${endpoint}/metrics`);
  const lines = (await answer.text()).split("\n").filter((line) => !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** The sum over all labels; 0 when there is none yet. */
export async function metric(endpoint: string, name: string): Promise<number> {
  let sum = 0;
  for (const [key, value] of await metrics(endpoint)) {
    if (key === name || key.startsWith(`${name}{`)) sum += value;
  }
  return sum;
}
