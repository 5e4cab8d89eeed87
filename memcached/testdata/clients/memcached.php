<?php
// Arguments: the server. Reads and counts what Go has stored, and stores its own numbers.
[$host, $port] = explode(":", $argv[1]);
$client = new Memcached();
$client->addServer($host, (int)$port);
$result = ["client" => "php-memcached", "version" => phpversion("memcached"), "language" => "PHP"];
$result["reads"] = (string)$client->get("go-number");
$result["text"] = $client->get("go-text");
$result["counts"] = (string)$client->increment("go-number", 1);
$client->set("number", 7);
$client->set("counter", "7");
$client->set("text", "text");
echo json_encode($result), "\n";
