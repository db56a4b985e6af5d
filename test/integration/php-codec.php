<?php
// Answers questions about PHP's own serializers: one JSON question per line in, one JSON answer per line out.
error_reporting(0);
ini_set('display_errors', '0');
ini_set('session.use_cookies', '0');
ini_set('session.use_strict_mode', '0');
ini_set('session.cache_limiter', '');
ini_set('session.save_path', sys_get_temp_dir());

enum Suit: string { case Hearts = 'h'; case Spades = 's'; }
enum Flag { case On; case Off; }
class Point { public $x = 1; protected $y = 2.0; private $z = null; public function __construct($x = 1, $y = 2.0, $z = null) { $this->x = $x; $this->y = $y; $this->z = $z; } }
class Child3D extends Point { private $z = 'own'; public $extra = []; }
class Modern { public $data = []; public function __serialize(): array { return $this->data; } public function __unserialize(array $data): void { $this->data = $data; } }
class Opaque implements Serializable { public $raw = ''; public function serialize() { return $this->raw; } public function unserialize($raw) { $this->raw = $raw; } }
class Nested implements Serializable { public $inner = null; public function serialize() { return serialize($this->inner); } public function unserialize($raw) { $this->inner = unserialize($raw); } }

class Memory implements SessionHandlerInterface
{
    public function open(string $path, string $name): bool { return true; }
    public function close(): bool { return true; }
    public function read(string $id): string|false { return ''; }
    public function write(string $id, string $data): bool { return true; }
    public function destroy(string $id): bool { return true; }
    public function gc(int $max): int|false { return 0; }
}
session_set_save_handler(new Memory(), false);

function random_text(): string
{
    static $texts = ['', 'a', 'id', 'user', 'é', '日本語', "\0", "a|b", "line\nbreak", '"quoted";', "\xff\xfe", '5', '05', '-5', '-0', '9223372036854775807', '9223372036854775808', '__proto__', 'constructor', 'toString', '😀', '}', 'i:1;', "caf\xe9"];
    return mt_rand(0, 3) === 0 ? str_repeat(chr(mt_rand(97, 122)), mt_rand(1, 300)) : $texts[mt_rand(0, count($texts) - 1)];
}

function random_float(): float
{
    static $floats = [0.0, -0.0, 1.0, 100.0, 0.1, 1e15, 1e17, 1e18, 1e21, 1e25, 1e-4, 1e-5, 1e-7, -1.5, 1e300, 5e-324, INF, -INF];
    if (mt_rand(0, 1)) return $floats[mt_rand(0, count($floats) - 1)];
    $float = unpack('E', pack('J', mt_rand() << 33 | mt_rand() << 2 | mt_rand(0, 3)))[1];
    return is_nan($float) ? 0.5 : $float;
}

function random_scalar(): mixed
{
    switch (mt_rand(0, 8)) {
        case 0: return null;
        case 1: return (bool) mt_rand(0, 1);
        case 2: return mt_rand(-10, 300);
        case 3: return mt_rand() << 32 | mt_rand();
        case 4: return [PHP_INT_MAX, PHP_INT_MIN, 9007199254740991, 9007199254740992, -9007199254740992, 65535, 65536, 4294967295, 4294967296][mt_rand(0, 8)];
        case 5: return random_float();
        default: return random_text();
    }
}

/** Builds a value; $pool holds what can be shared: objects by handle, variables by reference. */
function random_value(int $depth, array &$pool): mixed
{
    $kind = mt_rand(0, 13);
    if ($depth <= 0 || $kind < 5) return random_scalar();
    if ($kind < 7) return array_map(fn () => random_value($depth - 1, $pool), array_fill(0, mt_rand(0, 4), 0));
    if ($kind < 10) {
        $result = [];
        for ($left = mt_rand(0, 4); $left > 0; $left -= 1) {
            $key = mt_rand(0, 2) ? random_text() : mt_rand(-3, 9);
            if (mt_rand(0, 9) === 0 && $pool['refs']) {
                $result[$key] = &$pool['refs'][array_rand($pool['refs'])];
            } else {
                unset($item);
                $item = random_value($depth - 1, $pool);
                if (mt_rand(0, 6) === 0) { $result[$key] = &$item; $pool['refs'][] = &$item; }
                else $result[$key] = $item;
            }
        }
        return $result;
    }
    if ($kind === 10 && $pool['objects']) return $pool['objects'][array_rand($pool['objects'])];
    if ($kind === 11) return [Suit::Hearts, Suit::Spades, Flag::On][mt_rand(0, 2)];
    switch (mt_rand(0, 6)) {
        case 0: $object = new stdClass(); foreach (['a', '5', 'é', '__proto__'] as $name) if (mt_rand(0, 1)) $object->$name = random_value($depth - 1, $pool); break;
        case 1: $object = new Point(random_value($depth - 1, $pool), random_scalar(), random_scalar()); break;
        case 2: $object = new Child3D(random_value($depth - 1, $pool)); $object->extra = random_value($depth - 1, $pool); break;
        case 3: $object = new Modern(); $object->data = ['k' => random_value($depth - 1, $pool), 5 => random_scalar()]; break;
        case 4: $object = new ArrayObject([random_value($depth - 1, $pool)]); break;
        case 5: $object = new Opaque(); $object->raw = 'raw:' . random_text(); break;
        default: $object = new Nested(); $object->inner = [random_scalar(), random_scalar()]; break;
    }
    $pool['objects'][] = $object;
    if ($object instanceof stdClass && mt_rand(0, 2) === 0) $object->self = $object;
    return $object;
}

/** What a page sees that looks so deep into arrays, which may be in themselves. */
function levels(mixed $value, int $deep): mixed
{
    if (!is_array($value)) return $value;
    return $deep === 0 ? '…' : array_map(fn ($item) => levels($item, $deep - 1), $value);
}

function session_with(string $handler, callable $work): array
{
    ini_set('session.serialize_handler', $handler);
    if (!session_start()) return ['ok' => false, 'error' => 'session_start'];
    $_SESSION = [];
    $answer = $work();
    session_abort();
    return $answer;
}

function answer(array $question): array
{
    $data = isset($question['data']) ? base64_decode($question['data']) : '';
    switch ($question['op']) {
        case 'unserialize':
            try { $value = @unserialize($data); } catch (Throwable $error) { return ['ok' => false]; }
            if ($value === false && $data !== 'b:0;' && !str_starts_with($data, 'b:0;')) return ['ok' => false];
            return ['ok' => true, 'data' => base64_encode(serialize($value))];
        case 'igbinary_unserialize':
            $value = @igbinary_unserialize($data);
            return ['ok' => true, 'data' => base64_encode(igbinary_serialize($value)), 'plain' => base64_encode(serialize($value))];
        case 'igbinary_levels':
            return ['ok' => true, 'levels' => levels(igbinary_unserialize($data), 12)];
        case 'session':
            return session_with($question['handler'], function () use ($data) {
                if (!session_decode($data)) return ['ok' => false];
                if (!is_array($_SESSION)) return ['ok' => false];
                return ['ok' => true, 'data' => base64_encode((string) session_encode())];
            });
        case 'generate':
            mt_srand($question['seed']);
            $cases = [];
            for ($left = $question['count']; $left > 0; $left -= 1) {
                $pool = ['refs' => [], 'objects' => []];
                $value = random_value(5, $pool);
                // Read and written once, so that what is left of the generator's own references is gone.
                $bytes = serialize(unserialize(serialize($value)));
                $cases[] = ['data' => base64_encode($bytes), 'igbinary' => base64_encode(igbinary_serialize(igbinary_unserialize(igbinary_serialize($value))))];
            }
            return ['ok' => true, 'cases' => $cases];
        case 'generate-session':
            return session_with($question['handler'], function () use ($question) {
                mt_srand($question['seed']);
                $cases = [];
                for ($left = $question['count']; $left > 0; $left -= 1) {
                    $_SESSION = [];
                    $pool = ['refs' => [], 'objects' => []];
                    for ($names = mt_rand(0, 6); $names > 0; $names -= 1) {
                        $name = ['user', 'cart', 'é', '_token', '__proto__', 'a.b', "n\nl", 'long' . str_repeat('x', 60)][mt_rand(0, 7)];
                        if ($pool['refs'] && mt_rand(0, 4) === 0) { $_SESSION[$name] = &$pool['refs'][array_rand($pool['refs'])]; }
                        else { unset($item); $item = random_value(4, $pool); $_SESSION[$name] = &$item; if (mt_rand(0, 3) === 0) $pool['refs'][] = &$item; }
                    }
                    unset($item, $pool);
                    $first = session_encode();
                    $_SESSION = [];
                    session_decode((string) $first);
                    $cases[] = base64_encode((string) session_encode());
                }
                return ['ok' => true, 'cases' => $cases];
            });
        case 'floats':
            return ['ok' => true, 'texts' => array_map(fn ($hex) => serialize(unpack('E', hex2bin($hex))[1]), $question['bits'])];
        default:
            return ['ok' => false, 'error' => 'unknown question'];
    }
}

while (($line = fgets(STDIN)) !== false) {
    $question = json_decode($line, true);
    $answers = array_map('answer', $question['questions']);
    fwrite(STDOUT, json_encode($answers) . "\n");
}
