/** What somebody at a terminal gets to see of a command. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ROOT } from './run-node.js';

/** What colours and moves the cursor. */
export const ESCAPES: RegExp = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');

/** What a terminal of so many columns shows of `stormlamp` with `args`, as a shell reads them; `variables` stand before it. */
export async function atTerminal(columns: number, args: readonly string[], variables = ''): Promise<string> {
  const program = `stty cols ${columns}; ${variables} ${process.execPath} dist/cli/main.js ${args.join(' ')}`;
  const child = spawn('script', ['-qec', program, '/dev/null'], {
    cwd: ROOT,
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  await once(child, 'close');
  return shown;
}

/** The lines of what a terminal showed; progress is drawn over, and each picture of it is a line of its own. */
export function linesOf(shown: string): readonly string[] {
  return shown.replaceAll(ESCAPES, '').split(/\r?\n|\r/);
}
