package cache

import "github.com/cachebackends/cachebackends/core/driver"

// Backend is what an author of a backend implements. See [driver.Backend].
type Backend = driver.Backend

// Names of package driver that backends still find here.
type (
	Haser         = driver.Haser
	ManyGetter    = driver.ManyGetter
	ManySetter    = driver.ManySetter
	ManyDeleter   = driver.ManyDeleter
	Counter       = driver.Counter
	PrefixClearer = driver.PrefixClearer
	TTLer         = driver.TTLer
	Pinger        = driver.Pinger
	Copier        = driver.Copier
	ValueKeeper   = driver.ValueKeeper
	Item          = driver.Item
)
