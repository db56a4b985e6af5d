/** Real servers and faults for tests: what `stormlamp/testing` exports. */
export type { ServerBinaries, ServerName, ServerProgram } from './servers/server-binaries.js';
