// One query for all values that are not in the cache.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
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
	db := people.Open(map[string]string{"1": "Ada", "2": "Grace", "3": "Edsger"}) // sql.Open of your database
	defer db.Close()

	names := loader.NewMany(c, loader.Policy{
		Fresh:   time.Hour,
		Missing: 30 * time.Second, // for ids without a row
	}, func(ctx context.Context, ids []string) (map[string]string, error) {
		arguments := make([]any, len(ids))
		for i, id := range ids {
			arguments[i] = id
		}
		marks := strings.Repeat(", ?", len(ids))[2:]
		rows, err := db.QueryContext(ctx, "SELECT id, name FROM people WHERE id IN ("+marks+")", arguments...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		found := make(map[string]string, len(ids))
		for rows.Next() {
			var id, name string
			if err := rows.Scan(&id, &name); err != nil {
				return nil, err
			}
			found[id] = name
		}
		return found, rows.Err()
	})
	defer names.Close()

	for _, ids := range [][]string{{"1", "2"}, {"2", "3", "4"}} {
		results, err := names.GetMany(ctx, ids...)
		if err != nil {
			log.Print(err) // names the keys that failed; the others have their results
		}
		for i, r := range results {
			fmt.Printf("%s: %q %v\n", ids[i], r.Value, r.OK)
		}
	}
}
