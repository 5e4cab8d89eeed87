// Users in memory, with patrickmn/go-cache.
package main

import (
	"fmt"
	"time"

	"github.com/patrickmn/go-cache"
)

// User is a value.
type User struct{ Name string }

func main() {
	users := cache.New(5*time.Minute, 10*time.Minute)

	users.Set("42", &User{"Ada"}, cache.DefaultExpiration)
	users.Set("43", &User{"Grace"}, cache.NoExpiration)
	if found, ok := users.Get("42"); ok {
		fmt.Println(found.(*User).Name)
	}

	users.Add("visits", int64(1), time.Hour)
	visits, err := users.IncrementInt64("visits", 1)
	fmt.Println(visits, err)

	users.Flush()
	_, found := users.Get("43")
	fmt.Println("found:", found)
}
