// A program in Go that has taken over some routes of a Flask application, and shares its
// cache.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/flask"
	_ "github.com/cachebackends/cachebackends/redis"
)

// Profile is what the memoized function app.profile returns, a dict.
type Profile struct {
	Name string     `json:"name"`
	Born flask.Date `json:"born"`
	Tags []string   `json:"tags"`
}

func main() {
	ctx := context.Background()
	// The settings of the application, and the switch.
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "RedisCache", "CACHE_FLASK": true})
	c, err := cache.Open(ctx, settings.Override(cache.FromEnv(os.Environ()))) // CACHE_REDIS_URL
	check(err)
	defer c.Close()

	// What Flask has stored.
	page, ok, err := cache.Of[string](c).Get(ctx, flask.ViewKey("/users/Ada", nil))
	check(err)
	fmt.Println("Go reads", page, ok)
	key, ok, err := flask.MemoKey(ctx, c, "app.profile", "Ada")
	check(err)
	if ok {
		profile, _, err := cache.Of[Profile](c).Get(ctx, key)
		check(err)
		fmt.Println("Go knows", profile)
	}

	// What Flask reads.
	notice := map[string]any{"text": "Closed", "on": flask.Date{Year: 2026, Month: 12, Day: 24}}
	check(cache.Of[map[string]any](c).Set(ctx, "notice", notice, cache.Timeout(time.Hour)))
	visits, err := c.Inc(ctx, "visits", 1)
	check(err)
	fmt.Println("Go counts", visits)

	// Ada has changed her profile.
	_, err = flask.ForgetView(ctx, c, "/users/Ada", nil)
	check(err)
	_, err = flask.Forget(ctx, c, "app.profile")
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
