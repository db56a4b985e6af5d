/** What a command and the process that looks at mounts for it say to each other. */
import { ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import type { MountReader } from './mount-reader.js';

/** The question: a call of {@link MountReader}. */
export type MountQuestion =
  | { readonly call: 'look'; readonly args: Parameters<MountReader['look']> }
  | { readonly call: 'read'; readonly args: Parameters<MountReader['read']> };

/** The answer: what the call came to. */
export type MountAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** Answers a question by `reader`; never rejects. */
export async function answerOf(reader: MountReader, question: MountQuestion): Promise<MountAnswer> {
  try {
    const value =
      question.call === 'look' ? await reader.look(...question.args) : await reader.read(...question.args);
    return { ok: true, value };
  } catch (error) {
    const code = isStormlampError(error) ? error.code : ErrorCode.INTERNAL;
    return { ok: false, code, message: error instanceof Error ? error.message : String(error) };
  }
}

/** What was answered. Errors: as the call's. */
export function answered(answer: MountAnswer): unknown {
  if (answer.ok) return answer.value;
  throw new StormlampError(answer.code, answer.message);
}
