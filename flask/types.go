package flask

import (
	"encoding/hex"
	"fmt"
	"time"
)

// The Go types of Python values that Go has no type for. Each is read from and written
// as the Python type that its comment names. In a value of type any, they appear as
// they are.
type (
	// Tuple is a tuple. A list is a []any.
	Tuple []any

	// Set is a set or frozenset, in no particular order, without repetitions if Python
	// wrote it. It is written as a set.
	Set []any

	// Dict is a dict of which not every key is a str, in the order of insertion. Other
	// dicts are a map[string]any.
	Dict []Item

	// Decimal is a decimal.Decimal, as Python prints it: "1.50", "NaN", "1E+3".
	Decimal string

	// UUID is a uuid.UUID.
	UUID [16]byte
)

// Item is an item of a [Dict].
type Item struct{ Key, Value any }

// Date is a datetime.date.
type Date struct {
	Year  int // 1 to 9999
	Month time.Month
	Day   int
}

// Naive is the location of a datetime without a timezone. A [time.Time] in this
// location is written as a datetime without a timezone, any other with its offset.
var Naive = time.FixedZone("naive", 0)

// String returns the date in the form of RFC 3339.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// String returns the UUID in the form of RFC 9562.
func (u UUID) String() string {
	text := hex.EncodeToString(u[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
