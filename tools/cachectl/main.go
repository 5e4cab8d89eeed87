package main

import (
	"log"
	"os"
)

func main() {
	log.SetFlags(0) // what backends warn of looks like our own warnings
	log.SetPrefix("cachectl: ")
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}
