package main

import (
	"fmt"
	"os"
	"strings"
)

// missingMemory says why there is nothing to measure where so many bytes are not
// free. Nothing is said where the system does not tell.
func missingMemory(bytes int64) string {
	info, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(info)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 && kib<<10 < bytes {
			return fmt.Sprintf("needs %s of memory", byteCount(float64(bytes)))
		}
	}
	return ""
}
