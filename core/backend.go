package cache

import "github.com/cachebackends/cachebackends/core/driver"

// Backend is the store of a Cache. Authors of backends implement it: see
// [driver.Backend].
type Backend = driver.Backend

// Stats describes a store at one moment; see [driver.Stats].
type Stats = driver.Stats

// Entry describes one entry that [Cache.Scan] found; see [driver.Entry].
type Entry = driver.Entry
