package main

import "fmt"

// peer is another library for the store of a backend.
type peer struct {
	Beside  string // the backend
	Path    string // module
	Version string // empty: the one that the backend requires
	Imports string // beside those of the standard library
	Body    string // of main: opens a client and asks for one key
}

var peers = []peer{
	{
		Beside: "redis", Path: "github.com/redis/go-redis/v9",
		Imports: `"github.com/redis/go-redis/v9"`,
		Body:    `fmt.Println(redis.NewClient(&redis.Options{Addr: os.Getenv("ADDR")}).Get(context.Background(), "hello").Result())`,
	},
	{
		Beside: "redis", Path: "github.com/go-redis/cache/v9", Version: "v9.0.0",
		Imports: `"github.com/go-redis/cache/v9"; "github.com/redis/go-redis/v9"`,
		Body: `c := cache.New(&cache.Options{Redis: redis.NewClient(&redis.Options{Addr: os.Getenv("ADDR")})})
	fmt.Println(c.Exists(context.Background(), "hello"))`,
	},
	{
		Beside: "redis", Path: "github.com/gofiber/storage/redis/v3", Version: "v3.4.3",
		Imports: `"github.com/gofiber/storage/redis/v3"`,
		Body:    `fmt.Println(redis.New(redis.Config{URL: os.Getenv("ADDR")}).GetWithContext(context.Background(), "hello"))`,
	},
	{
		Beside: "memcached", Path: "github.com/bradfitz/gomemcache",
		Imports: `"github.com/bradfitz/gomemcache/memcache"`,
		Body: `_ = context.Background
	fmt.Println(memcache.New(os.Getenv("ADDR")).Get("hello"))`,
	},
	{
		Beside: "memcached", Path: "github.com/gofiber/storage/memcache", Version: "v1.3.7",
		Imports: `"github.com/gofiber/storage/memcache"`,
		Body: `_ = context.Background
	fmt.Println(memcache.New(memcache.Config{Servers: os.Getenv("ADDR")}).Get("hello"))`,
	},
	{
		Beside: "gcs", Path: "cloud.google.com/go/storage",
		Imports: `"cloud.google.com/go/storage"`,
		Body: `client, err := storage.NewClient(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(client.Bucket(os.Getenv("BUCKET")).Object("hello").NewReader(context.Background()))`,
	},
}

func (p peer) source() string {
	return fmt.Sprintf(`package main

import (
	"context"
	"fmt"
	"os"

	%s
)

func main() {
	%s
}
`, p.Imports, p.Body)
}
