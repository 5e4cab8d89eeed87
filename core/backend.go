package cache

import "github.com/cachebackends/cachebackends/core/driver"

// Backend is the store of a Cache. Authors of backends implement it: see
// [driver.Backend].
type Backend = driver.Backend
