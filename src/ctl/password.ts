import type { Io, LineReader } from "../cli/index.ts";

/** Asks for a password; what is typed at a terminal is not shown. Blanks around it do not count. */
export async function askPassword(io: Io, lines: LineReader, prompt: string): Promise<string> {
  io.stdout.write(prompt);
  const terminal = io.stdin as Partial<NodeJS.ReadStream>;
  try {
    const typed = terminal.isTTY === true ? await readHidden(io) : await lines.lastOrNext();
    return typed.trim();
  } finally {
    io.stdout.write("\n");
  }
}

/** In raw mode nothing is shown, and the keys that edit and interrupt are ours to know. */
function readHidden({ stdin }: Io): Promise<string> {
  const terminal = stdin as NodeJS.ReadStream;
  const { promise, resolve } = Promise.withResolvers<string>();
  let typed = "";
  const read = (chunk: Buffer) => {
    for (const character of chunk.toString()) {
      if (character === "\r" || character === "\n" || character === "\u0004") return resolve(typed);
      if (character === "\u0003") {
        terminal.setRawMode(false);
        process.kill(process.pid, "SIGINT");
      } else if (character === "\u007f") typed = typed.slice(0, -1);
      else typed += character;
    }
  };
  terminal.setRawMode(true);
  terminal.on("data", read);
  terminal.resume();
  return promise.finally(() => {
    terminal.off("data", read);
    terminal.setRawMode(false);
    terminal.pause();
  });
}
