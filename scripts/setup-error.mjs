/** What keeps a script from its work, in one sentence for people and in one JSON document for programs. */

/** A failed preparation; its message says what to do. */
export class SetupError extends Error {
  constructor(message, { code = 'ERR_SETUP', exitCode = 1, cause } = {}) {
    super(message, { cause });
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** The work was ended from outside. */
export function interrupted() {
  return new SetupError('Interrupted; everything that was started is stopped.', {
    code: 'ERR_ABORTED',
    exitCode: 130,
  });
}

/** Tells why a script ends, as the program that it prepares for would tell it. */
export function tellFailure(error) {
  const known = error instanceof SetupError;
  process.stderr.write(`${known ? error.message : error.stack}\n`);
  if (process.argv.includes('--json')) {
    const { message } = error;
    const document = { ok: false, error: { code: known ? error.code : 'ERR_INTERNAL', message } };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  }
  process.exitCode = known ? error.exitCode : 1;
}

/** Does what a script is there for; a failure is told and sets the exit code. */
export async function runScript(work) {
  try {
    await work();
  } catch (error) {
    tellFailure(error);
  }
}
