package observe

import (
	"sync"
	"testing"
)

// Concurrent callers get one value per key, which is made once.
func TestTable(t *testing.T) {
	var table Table[int, int]
	var made [10]int // by key; guarded by the table
	var group sync.WaitGroup
	values := make([][10]*int, 8)
	for i := range values {
		group.Go(func() {
			for key := range 10 {
				values[i][key] = table.Of(key, func(key int) *int { made[key]++; return &made[key] })
			}
		})
	}
	group.Wait()
	for key, n := range made {
		if n != 1 || table.All()[key] != &made[key] {
			t.Errorf("the value of %d was made %d times", key, n)
		}
		for i := range values {
			if values[i][key] != &made[key] {
				t.Errorf("caller %d got another value of %d", i, key)
			}
		}
	}
}
