//go:build gcs

package main

import _ "github.com/cachebackends/cachebackends/gcs"
