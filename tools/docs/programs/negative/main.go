// A database that is not asked again for a row that does not exist.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/loader"
	_ "github.com/cachebackends/cachebackends/simple"
	"github.com/cachebackends/cachebackends/tools/docs/internal/people"
)

func main() {
	ctx := context.Background()
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple", "CACHE_KEY_PREFIX": "name:"})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	db := people.Open(map[string]string{"1": "Ada"}) // sql.Open of your database
	defer db.Close()

	names := loader.New(c, loader.Policy{
		Fresh:   time.Hour,
		Missing: 30 * time.Second,
	}, func(ctx context.Context, id string) (string, error) {
		var name string
		err := db.QueryRowContext(ctx, "SELECT id, name FROM people WHERE id = ?", id).Scan(&id, &name)
		if errors.Is(err, sql.ErrNoRows) {
			return "", loader.ErrMissing
		}
		return name, err
	})
	defer names.Close()

	for range 2 {
		for _, id := range []string{"1", "2"} {
			name, err := names.Get(ctx, id)
			fmt.Printf("%q %v\n", name, errors.Is(err, loader.ErrMissing))
		}
	}
}
