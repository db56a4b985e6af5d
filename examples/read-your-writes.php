<?php
// The PHP side of read-your-writes.mjs: reads from a replica that has what the browser's last request wrote, else from the primary.
session_start();

// The functions of docs/freshness.md.

/** Whether the replica has what the browser's last request wrote. If not, read from the primary. */
function stormlamp_is_fresh(mysqli $replica, float $seconds = 1.0): bool
{
    [$token, $time] = explode(' ', ($_SESSION['stormlamp_token'] ?? '') . ' 0');
    if ($token === '' || time() - (int) $time > 60) {
        return true;
    }
    if ($token[0] === '*') { // something was written, and nobody knows its GTID
        return false;
    }
    $mariadb = str_contains($replica->server_info, 'MariaDB');
    $wait = $mariadb ? 'MASTER_GTID_WAIT' : 'WAIT_FOR_EXECUTED_GTID_SET';
    $statement = $replica->prepare("SELECT $wait(?, ?)");
    $seconds = max($seconds, 0.001); // 0 is no limit on MySQL
    $statement->bind_param('sd', $token, $seconds);
    $statement->execute();
    $waited = $statement->get_result()->fetch_row()[0] === 0;
    return $waited && (!$mariadb || stormlamp_has($replica, $token));
}

/** Whether a replica of MariaDB has each GTID: it stands there, and has it from the server that wrote it. */
function stormlamp_has(mysqli $replica, string $token): bool
{
    $read = fn (string $list): array => array_map(
        fn (string $gtid): array => array_map('intval', explode('-', $gtid)),
        array_filter(explode(',', $list)),
    );
    $row = $replica->query('SELECT @@global.gtid_slave_pos, @@global.gtid_binlog_state')->fetch_row();
    [$position, $log] = array_map($read, $row);
    foreach ($read($token) as [$domain, $server, $number]) {
        $stands = fn (array $gtid): bool => $gtid[0] === $domain && $gtid[2] >= $number;
        $covers = fn (array $gtid): bool => $gtid[1] === $server && $stands($gtid);
        if (!array_filter($position, $stands) || !array_filter([...$position, ...$log], $covers)) {
            return false;
        }
    }
    return true;
}

function open(string $name): mysqli
{
    $url = parse_url(getenv($name));
    $database = ltrim($url['path'], '/');
    return new mysqli($url['host'], rawurldecode($url['user']), rawurldecode($url['pass']), $database, $url['port'] ?? 3306);
}

$replica = open('REPLICA_URL');
$fresh = stormlamp_is_fresh($replica);
$rows = ($fresh ? $replica : open('PRIMARY_URL'))->query("SELECT item FROM cart WHERE owner = 'ada'");
header('Content-Type: application/json');
echo json_encode(['from' => $fresh ? 'replica' : 'primary', 'cart' => array_column($rows->fetch_all(MYSQLI_ASSOC), 'item')]);
