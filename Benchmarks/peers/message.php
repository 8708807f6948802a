<?php
// The same check in PHP: the SHA-256 of the token is looked up in an SQLite database, to which each process keeps its
// connection. opcache is on, as in Debian.
declare(strict_types=1);

header('Content-Type: application/json');
$database = new PDO('sqlite:' . $_SERVER['DATABASE'], options: [PDO::ATTR_PERSISTENT => true]);
$isToken = preg_match('/^Token ([!-~]+)$/D', $_SERVER['HTTP_AUTHORIZATION'] ?? '', $parts) === 1;
$statement = $database->prepare(
    'SELECT username FROM token JOIN user ON user.id = token.user WHERE digest = ? AND is_active'
);
$statement->bindValue(1, hash('sha256', $isToken ? $parts[1] : '', binary: true), PDO::PARAM_LOB);
$statement->execute();
if (!$isToken || $statement->fetchColumn() === false) {
    http_response_code(401);
    header('WWW-Authenticate: Token');
    exit('{"detail":"Invalid token."}');
}
echo '{"message":"You are authenticated"}';
