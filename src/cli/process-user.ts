/** Who runs this process. */
import { hostname, userInfo } from 'node:os';

/** Its user's name; in a container whose user has none, its number and its machine. `name`: asks the system, and may throw. */
export function processUser(name: () => string = () => userInfo().username): string {
  try {
    return name();
  } catch {
    return `uid ${process.getuid?.() ?? '?'}@${hostname()}`;
  }
}
