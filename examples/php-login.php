<?php
// The PHP side of php-login.mjs: logs in, and shows the cart that Node filled.
session_start();
if (isset($_GET['login'])) {
    session_regenerate_id(true);
    $_SESSION['user'] = ['name' => $_GET['login']];
}
header('Content-Type: application/json');
echo json_encode(['user' => $_SESSION['user'] ?? null, 'cart' => $_SESSION['cart'] ?? []]);
