import type { CommandBody } from "./command.ts";
import { completionScript, SHELLS, type Shell } from "./completion-scripts.ts";
import { UsageError } from "./flags.ts";

/** The command `completion`: prints the script that completes command lines in a shell. */
export function completionCommand<C>(
  program: string,
  out: (context: C, text: string) => void,
): CommandBody<C> {
  return {
    use: `completion [${SHELLS.join("|")}]`,
    plainUseLine: true,
    long: howToLoad(program),
    flags: {},
    offers: (args) => (args.length === 0 ? SHELLS : []),
    run: ({ args, context }) => {
      if (args.length !== 1) throw new UsageError(`accepts 1 arg(s), received ${args.length}`);
      const shell = args[0]!;
      if (!isShell(shell)) {
        throw new UsageError(`invalid argument "${shell}" for "${program} completion"`);
      }
      out(context, completionScript(shell, program));
    },
  };
}

const isShell = (name: string): name is Shell => (SHELLS as readonly string[]).includes(name);

const howToLoad = (program: string) => `Prints a script that completes command lines of ${program}.

  Bash:        source <(${program} completion bash)
  Zsh:         source <(${program} completion zsh)
  fish:        ${program} completion fish | source
  PowerShell:  ${program} completion powershell | Out-String | Invoke-Expression

Put that line into the file that your shell reads when it starts.`;
