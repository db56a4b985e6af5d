/** `stormlamp/php`: PHP's values, their serialization, and the containers of its sessions. */
export { serializeIgbinary, unserializeIgbinary } from './igbinary.js';
export { encodeNatural, naturalView } from './natural.js';
export { NaturalScope } from './natural-scope.js';
export { OrderedMap, type PhpKey } from './ordered-map.js';
export { PhpArray } from './php-array.js';
export { PhpFloat } from './php-float.js';
export { DEFAULT_PHP_LIMITS, type PhpLimits, type ResolvedPhpLimits } from './php-limits.js';
export { type PhpClassName, PhpCustomObject, PhpEnum, PhpObject, type PhpVisibility } from './php-object.js';
export { PhpReference } from './php-reference.js';
export { serialize } from './serialize.js';
export { decodeSession, encodeSession } from './session-codec.js';
export { SessionDocument, type VariableChange } from './session-document.js';
export { SESSION_HANDLERS, type SessionHandler } from './session-handler.js';
export { SessionView } from './session-view.js';
export { unserialize } from './unserialize.js';
