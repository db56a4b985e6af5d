/** The PHP half of the demo's shop: plain PHP that knows nothing of Node, with a login, a cart and a logout. */

/** The text of the router script for `php -S`. `SHOP_DATABASE` in its environment is JSON: `{ nodes: [{ host, port }], user, password, database }`; the nodes are tried in order. */
export const PHP_SITE = `<?php
ini_set('display_errors', '0');
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function answer($data, $status = 200) {
  http_response_code($status);
  header('Content-Type: application/json');
  echo json_encode($data + ['server' => 'php']);
}

function database() {
  $config = json_decode(getenv('SHOP_DATABASE'), true);
  $last = null;
  foreach ($config['nodes'] as $node) {
    try {
      $db = mysqli_init();
      $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 2);
      $db->real_connect($node['host'], $config['user'], $config['password'], $config['database'], $node['port']);
      return $db;
    } catch (mysqli_sql_exception $e) {
      $last = $e;
    }
  }
  throw $last;
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (!session_start()) {
  answer(['error' => 'the session could not be opened'], 503);
  return true;
}
if ($path === '/login.php' && isset($_REQUEST['user'])) {
  session_regenerate_id(true);
  $_SESSION['user'] = ['name' => (string) $_REQUEST['user'], 'since' => time(), 'balance' => 100.0];
  $_SESSION['visits'] = 0;
  answer(['user' => $_SESSION['user']]);
} elseif ($path === '/me.php') {
  if (isset($_SESSION['visits'])) $_SESSION['visits']++;
  answer(['user' => $_SESSION['user'] ?? null, 'visits' => $_SESSION['visits'] ?? null, 'lastItem' => $_SESSION['lastItem'] ?? null]);
} elseif ($path === '/cart.php') {
  if (!isset($_SESSION['user'])) {
    answer(['error' => 'not logged in'], 401);
    return true;
  }
  $name = $_SESSION['user']['name'];
  session_write_close();
  try {
    $db = database(); // a statement does not keep its connection
    $query = $db->prepare('SELECT item FROM cart WHERE owner = ? ORDER BY id');
    $query->bind_param('s', $name);
    $query->execute();
    $items = array_column($query->get_result()->fetch_all(MYSQLI_ASSOC), 'item');
    answer(['user' => $name, 'items' => $items]);
  } catch (mysqli_sql_exception $e) {
    answer(['error' => $e->getMessage()], 503);
  }
} elseif ($path === '/logout.php') {
  session_destroy();
  answer(['user' => null]);
} else {
  answer(['error' => 'no such page'], 404);
}
return true;
`;
