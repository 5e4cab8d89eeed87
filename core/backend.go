package cache

import "github.com/cachebackends/cachebackends/core/driver"

// Backend is what a Cache stores in. Authors implement it: see [driver.Backend].
type Backend = driver.Backend
