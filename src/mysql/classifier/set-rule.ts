/** `SET` in all its forms. */
import { answer, anything, onPrimary, target } from './answer.js';
import type { AccessMode, Classification } from './classification.js';
import { inSequence } from './combine.js';
import { Feature } from './features.js';
import { classifyQuery, PLAIN_READ } from './query-rule.js';
import { SetEffects } from './set-effects.js';
import { STATEMENT_VARIABLES, variableRole } from './set-variables.js';
import type { StatementContext } from './statement-context.js';
import type { StatementCursor } from './statement-cursor.js';
import { Token } from './statement-lexer.js';
import { Word } from './words.js';

/** Whose value an assignment changes; `default` is a name without a scope, `bare` a `@@name` without one. */
type Scope = 'global' | 'session' | 'default' | 'bare';

const SCOPES: readonly string[] = ['global', 'session', 'local', 'persist', 'persist_only'];

/** A `SET` with more assignments is not looked through. */
const ASSIGNMENT_LIMIT = 1000;

const TOO_MUCH = anything('it sets more than is looked through');

/** What in a value makes it mean something else on another connection. */
const NOT_REPLAYABLE: number = ~(Feature.ASSIGN | Feature.ACCOUNT);

const ROLE_OF_ACCOUNT = answer('write', 'primary', 'it changes the roles of an account, and commits first', {
  implicitCommit: true,
});

/** The answer for any `SET`; `undefined` for a form that is not understood. */
export function classifySet(context: StatementContext): Classification | undefined {
  const at = context.cursor();
  at.take('set');
  if (at.word === 'statement') {
    at.advance();
    if (!isAssignment(at)) return setStatement(at, context);
    return assignments(context, at, 'statement');
  }
  if (at.takeOne('password') !== undefined)
    return answer('write', 'primary', 'it changes a password, and commits first', { implicitCommit: true });
  if (at.takeOne('default') !== undefined) return at.word === 'role' ? ROLE_OF_ACCOUNT : undefined;
  if (at.takeOne('role') !== undefined) return pinning('it changes the roles of its connection');
  if (at.take('resource'))
    return at.word === 'group' ? pinning('it moves its connection to a group') : undefined;
  return assignments(context, at);
}

function pinning(because: string): Classification {
  return answer('session', 'primary', because, { pinned: [target('session-variable')] });
}

function assignments(
  context: StatementContext,
  at: StatementCursor,
  firstName?: string,
): Classification | undefined {
  const effects = new SetEffects();
  const { features } = context.scan;
  let name = firstName;
  let isGlobalBefore = false;
  let isFirst = firstName === undefined;
  let count = 0;
  do {
    count += 1;
    if (count > ASSIGNMENT_LIMIT) return TOO_MUCH;
    const word = name === undefined ? at.takeOne(...SCOPES) : undefined;
    let scope: Scope =
      word === undefined ? 'default' : word === 'session' || word === 'local' ? 'session' : 'global';
    if (isFirst && at.take('transaction')) return setTransaction(at, scope);
    isFirst = false;
    if (word === undefined && name === undefined && takesCharset(at)) {
      // `SET names = …` is refused by the servers.
      if (isAssignment(at)) return undefined;
      effects.setting('charset');
      const value = skipValue(at, features);
      if (value.isOver) return TOO_MUCH;
      if (!value.isReplayable) effects.sessionVariable();
      continue;
    }
    if (at.kind === Token.USER_VARIABLE && name === undefined) {
      effects.userVariable();
      at.advance();
    } else if (at.kind === Token.SYSTEM_VARIABLE && name === undefined) {
      const variable = takeSystemVariable(at);
      if (variable === undefined) return undefined;
      [scope, name] = variable;
    } else {
      name ??= at.takeName();
      if (name === undefined) return undefined;
    }
    if (!isAssignment(at)) return undefined;
    at.advance();
    const value = skipValue(at, features);
    if (value.isOver) return TOO_MUCH;
    if (name !== undefined) assign(effects, scope, name, value, context.replayed);
    // A scope may hold on for the names behind it, so those are taken both ways.
    if (scope === 'default' && isGlobalBefore) effects.write();
    if (scope === 'global') isGlobalBefore = true;
    name = undefined;
  } while (at.takeSign(','));
  if (!at.isAtEnd) return undefined;
  if ((features & (Feature.USER_VARIABLE | Feature.NAMED_LOCK)) !== 0) effects.userVariable();
  if ((features & (Feature.UNKNOWN_FUNCTION | Feature.NAMED_LOCK | Feature.SEQUENCE_WRITE)) === 0)
    return effects.toClassification();
  const { transaction, pinned } = effects.toClassification();
  const isLock = (features & Feature.NAMED_LOCK) !== 0;
  return answer('unknown', 'primary', 'it calls a function that is not known to only read', {
    transaction,
    pinned: [...(pinned ?? []), ...(isLock ? [target('named-lock')] : [])],
  });
}

function assign(
  effects: SetEffects,
  scope: Scope,
  name: string,
  value: Value,
  replayed: ReadonlySet<string>,
): void {
  if (scope === 'global') {
    effects.write();
    return;
  }
  const variable = variableRole(name);
  switch (variable.role) {
    case 'autocommit':
      effects.transaction(isOn(value.literal) ? 'autocommit-on' : 'autocommit-off');
      return;
    case 'replayed':
      effects.setting(variable.setting);
      if (!value.isReplayable) effects.sessionVariable();
      return;
    case 'transaction':
      if (scope === 'bare') {
        effects.transaction('next-transaction');
        if (variable.setting === 'access-mode')
          effects.nextAccess(isOn(value.literal) ? 'read-only' : 'read-write');
        return;
      }
      effects.setting(variable.setting);
      if (!isHarmless(variable.setting, value)) effects.sessionVariable();
      return;
    default:
      if (replayed.has(name)) effects.setting('variable');
      if (!replayed.has(name) || !value.isReplayable) effects.sessionVariable();
  }
}

/** SERIALIZABLE makes locks of reads, so a session that may have it stays where it is. */
function isHarmless(setting: 'isolation' | 'access-mode', { literal }: Value): boolean {
  if (literal === undefined) return false;
  if (setting === 'access-mode') return ['0', '1', 'on', 'off', 'true', 'false'].includes(literal);
  return ['read-uncommitted', 'read-committed', 'repeatable-read'].includes(literal);
}

function isOn(literal: string | undefined): boolean {
  return literal === '1' || literal === 'on' || literal === 'true';
}

function isAssignment(at: StatementCursor): boolean {
  return at.kind === Token.ASSIGN || at.sign === '=';
}

function takesCharset(at: StatementCursor): boolean {
  return at.takeOne('names', 'charset') !== undefined || at.take('character', 'set');
}

/** Goes past `@@scope.name`, which may have blanks around its points, and takes it apart; `undefined` for what is no name. */
function takeSystemVariable(at: StatementCursor): [Scope, string] | undefined {
  const parts = at.text.slice(2).toLowerCase().replaceAll('`', '').split('.');
  at.advance();
  if (at.takeSign('.')) {
    const more = at.takeName();
    if (more === undefined) return undefined;
    parts.push(more);
  }
  const [first = '', ...rest] = parts;
  if (rest.length === 0 || !SCOPES.includes(first)) return ['bare', parts.join('.')];
  return [first === 'session' || first === 'local' ? 'session' : 'global', rest.join('.')];
}

/** What is known of the right side of an assignment. */
interface Value {
  /** A lone word, number or string, in lower case. */
  readonly literal: string | undefined;
  /** Whether the expression means the same on every connection. */
  readonly isReplayable: boolean;
  /** Whether it is longer than is looked through. */
  readonly isOver: boolean;
}

function skipValue(at: StatementCursor, features: number): Value {
  const literal = at.kind === Token.NUMBER ? at.text : at.name?.toLowerCase();
  const { tokens, hasFrom, isOver } = at.skipExpression();
  const isReplayable = (features & NOT_REPLAYABLE) === 0 && !hasFrom && tokens > 0;
  return { literal: tokens === 1 ? literal : undefined, isReplayable, isOver };
}

function setTransaction(at: StatementCursor, scope: Scope): Classification | undefined {
  const effects = new SetEffects();
  let access: AccessMode | undefined;
  do {
    if (at.take('isolation')) {
      if (!at.take('level')) return undefined;
      const level = at.takeOne('read', 'repeatable', 'serializable');
      if (level === undefined) return undefined;
      if (level !== 'serializable' && at.takeOne('committed', 'uncommitted', 'read') === undefined)
        return undefined;
      effects.setting('isolation');
      if (level === 'serializable') effects.sessionVariable();
    } else {
      const mode = at.take('read') ? at.takeOne('only', 'write') : undefined;
      if (mode === undefined) return undefined;
      access = mode === 'only' ? 'read-only' : 'read-write';
      effects.setting('access-mode');
    }
  } while (at.takeSign(','));
  if (!at.isAtEnd) return undefined;
  if (scope === 'session') return effects.toClassification();
  const other = new SetEffects();
  if (scope === 'global') other.write();
  else {
    other.transaction('next-transaction');
    if (access !== undefined) other.nextAccess(access);
  }
  return other.toClassification();
}

const CONSTANTS: readonly number[] = [Token.WORD, Token.NUMBER, Token.STRING, Token.STRING_OR_NAME];

/** MariaDB's `SET STATEMENT variable = value, … FOR statement`. */
function setStatement(at: StatementCursor, context: StatementContext): Classification | undefined {
  let isHarmless = true;
  let isConstant = true;
  let count = 0;
  do {
    count += 1;
    if (count > ASSIGNMENT_LIMIT) return TOO_MUCH;
    isHarmless &&= STATEMENT_VARIABLES.has(at.word);
    at.advance();
    at.advance();
    isConstant &&= CONSTANTS.includes(at.kind);
    const { isOver, tokens } = at.skipExpression(Word.FOR);
    if (isOver) return TOO_MUCH;
    isConstant &&= tokens === 1;
  } while (at.takeSign(','));
  if (at.isAtEnd) return undefined;
  // What the values do is done before the statement, whatever that is.
  const values = isConstant ? undefined : classifyQuery(context);
  const given = context.inner(at.start + 'for'.length);
  if (given === undefined) return given;
  if (values !== undefined && values !== PLAIN_READ)
    return onPrimary(inSequence([values, given]) ?? given, 'its values may do something');
  if (isHarmless) return given;
  return onPrimary(given, 'it sets variables that may change what the statement does');
}
