/**
 * Scripts that teach a shell to complete the command lines of a program. They know nothing of its
 * commands: they ask the program itself, by the rules of `complete.ts`. PROGRAM stands for its
 * name.
 */

/** Words are those of readline, which takes `=` and `:` for words too: they are put together. */
const BASH = `# Completion of PROGRAM for bash:  source <(PROGRAM completion bash)

__PROGRAM_complete() {
    local word i line value words=() directive=0 current=\${COMP_WORDS[COMP_CWORD]}
    local program=\${COMP_WORDS[0]/#\\~\\//$HOME/} joins=
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        if [[ \${#words[@]} -gt 0 && ( $word == [=:] || $joins ) ]]; then
            words[\${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        [[ $word == [=:] ]] && joins=1 || joins=
    done
    [[ $current == [=:] ]] && current=
    COMPREPLY=()
    while IFS= read -r line; do
        value=\${line%%$'\\t'*}
        if [[ $line == :* ]]; then
            directive=\${line#:}
        elif [[ $value == "$current"* ]]; then
            COMPREPLY+=("$value")
        fi
    done < <("$program" __complete "\${words[@]}" 2>/dev/null)
    if ((directive & 16)); then
        compopt -o filenames
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$current")
    elif ((directive == 0 && \${#COMPREPLY[@]} == 0)); then
        compopt -o filenames
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    fi
}

complete -F __PROGRAM_complete PROGRAM
`;

const ZSH = `#compdef PROGRAM
# Completion of PROGRAM for zsh:  source <(PROGRAM completion zsh)

_PROGRAM() {
    local line directive=0
    local -a candidates
    while IFS= read -r line; do
        if [[ $line == :* ]]; then
            directive=\${line#:}
        else
            line=\${line//:/\\\\:}
            candidates+=("\${line/$'\\t'/:}")
        fi
    done < <("\${(Q)\${words[1]/#\\~\\//$HOME/}}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
    [[ $words[CURRENT] == -*=* ]] && compset -P '*='
    if ((directive & 16)); then
        _path_files -/
    elif ((\${#candidates})); then
        _describe PROGRAM candidates
    elif ((directive == 0)); then
        _files
    fi
}

if [[ \${funcstack[1]} == _PROGRAM ]]; then
    _PROGRAM "$@"
else
    compdef _PROGRAM PROGRAM
fi
`;

/** Fish takes only candidates that begin with the whole word, \`--name=\` included. */
const FISH = `# Completion of PROGRAM for fish:  PROGRAM completion fish | source

function __PROGRAM_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l before (string match -r -- '^-[^=]*=' "$current")
    set -l directive 0
    set -l count 0
    for line in ($program __complete $words "$current" 2>/dev/null)
        if string match -q -- ':*' $line
            set directive (string sub -s 2 -- $line)
        else
            set count (math $count + 1)
            echo -- "$before$line"
        end
    end
    if test $directive -eq 16
        __fish_complete_directories "$current"
    else if test $directive -eq 0 -a $count -eq 0
        __fish_complete_path "$current"
    end
end

complete -c PROGRAM -f -a '(__PROGRAM_complete)'
`;

/** Before 7.3 an empty argument got lost unless it was quoted once more. */
const POWERSHELL = `# Completion of PROGRAM for PowerShell:
#   PROGRAM completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'PROGRAM' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $elements = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { "$_" })
    $program = $elements[0]
    $words = @($elements | Select-Object -Skip 1)
    if ("$wordToComplete" -eq '') {
        $isOld = $PSVersionTable.PSVersion -lt [version]'7.3'
        $words += $(if ($isOld) { '""' } else { '' })
    }
    $before = if ("$wordToComplete" -match '^-[^=]*=') { $Matches[0] } else { '' }
    & $program __complete @words 2>$null | ForEach-Object {
        if ($_ -match '^:\\d+$') { return }
        $value, $description = $_ -split "\`t", 2
        if (-not $description) { $description = $value }
        if ("$before$value".StartsWith("$wordToComplete")) {
            [System.Management.Automation.CompletionResult]::new(
                "$before$value", $value, 'ParameterValue', $description)
        }
    }
}
`;

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL } as const;

export type Shell = keyof typeof SCRIPTS;

/** The shells there are scripts for. */
export const SHELLS = Object.keys(SCRIPTS) as Shell[];

/** The script that teaches a shell to complete the command lines of a program. */
export function completionScript(shell: Shell, program: string): string {
  return SCRIPTS[shell].replaceAll("PROGRAM", program);
}
