/** Whether this Node can run the package. */
import { type Check, Checks } from './check.js';

/** The oldest Node that is supported. */
const OLDEST = [20, 19] as const;

/** Checks the version of Node, like `20.19.1`. */
export function checkNode(version: string): readonly Check[] {
  const checks = new Checks('node');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  checks.expect(
    major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]),
    'failed',
    null,
    'version of Node',
    {
      found: version,
      expected: `${OLDEST.join('.')} or newer`,
      fix: 'install a supported release of Node',
    },
  );
  return checks.list;
}
