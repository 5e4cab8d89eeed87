package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cachebackends/cachebackends/tools/mod/internal/proof"
	"github.com/cachebackends/cachebackends/tools/mod/internal/repo"
)

// peer is another library for the store of a backend: its module (an empty version
// is the one that the backend requires), and imports and statements of a program
// that asks for one key.
type peer struct{ backend, path, version, imports, body string }

var peers = []peer{
	{"redis", "github.com/redis/go-redis/v9", "", `"github.com/redis/go-redis/v9"`,
		`fmt.Println(redis.NewClient(&redis.Options{Addr: os.Args[0]}).Get(ctx, "hello").Result())`},
	{"redis", "github.com/go-redis/cache/v9", "v9.0.0", `"github.com/go-redis/cache/v9"; "github.com/redis/go-redis/v9"`,
		`fmt.Println(cache.New(&cache.Options{Redis: redis.NewClient(&redis.Options{Addr: os.Args[0]})}).Exists(ctx, "hello"))`},
	{"redis", "github.com/gofiber/storage/redis/v3", "v3.4.3", `"github.com/gofiber/storage/redis/v3"`,
		`fmt.Println(redis.New(redis.Config{URL: os.Args[0]}).GetWithContext(ctx, "hello"))`},
	{"memcached", "github.com/bradfitz/gomemcache", "", `"github.com/bradfitz/gomemcache/memcache"`,
		`fmt.Println(memcache.New(os.Args[0]).Get("hello"))`},
	{"memcached", "github.com/gofiber/storage/memcache", "v1.3.7", `"github.com/gofiber/storage/memcache"`,
		`fmt.Println(memcache.New(memcache.Config{Servers: os.Args[0]}).Get("hello"))`},
	{"gcs", "cloud.google.com/go/storage", "", `"cloud.google.com/go/storage"`,
		`c, err := storage.NewClient(ctx); check(err); fmt.Println(c.Bucket(os.Args[0]).Object("hello").NewReader(ctx))`},
}

const (
	sizesBegin = "<!-- sizes -->\n"
	sizesEnd   = "<!-- /sizes -->\n"
)

func (a *app) sizesCommand() *cobra.Command {
	var write bool
	command := &cobra.Command{
		Use:   "sizes",
		Short: "Measure what users of each backend and of other libraries download",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := repo.Open(a.root)
			if err != nil {
				return err
			}
			table, err := a.sizes(cmd.Context(), r)
			if err != nil || !write {
				fmt.Fprint(a.stdout, table)
				return err
			}
			name := filepath.Join(r.Root, "README.md")
			readme, err := os.ReadFile(name)
			before, rest, begins := strings.Cut(string(readme), sizesBegin)
			_, after, ends := strings.Cut(rest, sizesEnd)
			if err == nil && (!begins || !ends) {
				err = fmt.Errorf("%s has no lines %s and %s", name, strings.TrimSpace(sizesBegin), strings.TrimSpace(sizesEnd))
			}
			if err != nil {
				return err
			}
			return os.WriteFile(name, []byte(before+sizesBegin+table+sizesEnd+after), 0o644)
		},
	}
	command.Flags().BoolVar(&write, "write", false, "write the table into README.md")
	return command
}

// sizes returns a table in Markdown of all backends, each followed by its peers.
func (a *app) sizes(ctx context.Context, r *repo.Repo) (string, error) {
	table := "| a program over | modules downloaded | download | program |\n|---|---:|---:|---:|\n"
	row := func(p *proof.Proof, name, source, query string) error {
		fmt.Fprintln(a.stderr, "sizes", query)
		c, err := p.Measure(ctx, source, query)
		table += fmt.Sprintf("%s %.2f MB | %.1f MB |\n", proof.Row(name, c), float64(c.Download)/1e6, float64(c.Program)/1e6)
		return err
	}
	_, err := a.prove(ctx, r, r.Released(), func(_ context.Context, p *proof.Proof, m repo.Module) (repo.Findings, error) {
		if !m.Backend() {
			return nil, nil
		}
		if err := row(p, m.Dir, p.Hello(m), m.Path+"@"+p.Next[m.Dir]); err != nil {
			return nil, err
		}
		for _, peer := range peers {
			if peer.version == "" {
				peer.version = m.Requires(peer.path)
			}
			query := peer.path + "@" + peer.version
			if peer.backend != m.Dir {
				continue
			}
			if err := row(p, "*"+strings.TrimPrefix(query, "github.com/")+"*", proof.Source(peer.imports, peer.body), query); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return table + fmt.Sprintf("\nMeasured with %s on %s/%s.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH), err
}
