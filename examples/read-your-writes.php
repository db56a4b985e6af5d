<?php
// The PHP side of read-your-writes.mjs: reads from a replica that has what the browser's last request wrote, else from the primary.
session_start();

/** Whether the replica has what the session's token names; waits for it up to a second. */
function is_fresh(mysqli $replica): bool
{
    [$token, $time] = explode(' ', ($_SESSION['stormlamp_token'] ?? '') . ' 0');
    if ($token === '' || time() - (int) $time > 60) {
        return true;
    }
    if ($token[0] === '*') {
        return false;
    }
    $wait = str_contains($replica->server_info, 'MariaDB') ? 'MASTER_GTID_WAIT' : 'WAIT_FOR_EXECUTED_GTID_SET';
    $statement = $replica->prepare("SELECT $wait(?, 1)");
    $statement->bind_param('s', $token);
    $statement->execute();
    return $statement->get_result()->fetch_row()[0] === 0;
}

function open(string $name): mysqli
{
    $url = parse_url(getenv($name));
    return new mysqli($url['host'], $url['user'], urldecode($url['pass']), ltrim($url['path'], '/'), $url['port']);
}

$replica = open('REPLICA_URL');
$fresh = is_fresh($replica);
$rows = ($fresh ? $replica : open('PRIMARY_URL'))->query("SELECT item FROM cart WHERE owner = 'ada'");
header('Content-Type: application/json');
echo json_encode(['from' => $fresh ? 'replica' : 'primary', 'cart' => array_column($rows->fetch_all(MYSQLI_ASSOC), 'item')]);
