/** Says at a terminal what to type where the manager of failover says what to call. */

const RUN = 'stormlamp failover';
/** The calls of the manager that texts name, and what does the same from a terminal. */
const COMMANDS: readonly (readonly [call: string, command: string])[] = [
  ['failover\\(\\{ force: true \\}\\)', `${RUN} failover --force`],
  ['failover\\(\\{ acceptLoss: true \\}\\)', `${RUN} failover --accept-loss`],
  ["failover\\(\\{ to: '([^']+)' \\}\\)", `${RUN} failover --to $2`],
  ["failover\\(\\{ to: '([^']+)', acceptLoss: true \\}\\)", `${RUN} failover --to $2 --accept-loss`],
  ['failover\\(\\)', `${RUN} failover`],
  ['switchover\\(\\)', `${RUN} switchover`],
  ["acknowledge\\('([^']+)', name\\)", `${RUN} acknowledge $2`],
  ['resume\\(\\)', `${RUN} resume`],
  ['preflight\\(\\)', `${RUN} preflight`],
  ['history\\(\\)', `${RUN} history`],
];
const RULES = COMMANDS.map(
  ([call, command]) => [new RegExp(`(\\b[Cc]all |\\b[Uu]se )?\`?\\b${call}\`?`, 'g'), command] as const,
);

/** `text` with commands in the place of calls. */
export function inCommands(text: string): string {
  return RULES.reduce(
    (said, [call, command]) =>
      said.replace(call, (_, verb: string | undefined, word: string | undefined) => {
        const typed = typeof word === 'string' ? command.replace('$2', () => word) : command;
        const run = verb === undefined ? '' : /^[CU]/.test(verb) ? 'Run ' : 'run ';
        return `${run}\`${typed}\``;
      }),
    text,
  );
}
