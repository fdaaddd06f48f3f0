<?php
// The same hello for php-fpm.
$body = "Hello, World!\n";
header('Content-Type: text/plain');
header('Content-Length: ' . strlen($body));
echo $body;
