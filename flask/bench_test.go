package flask

import (
	"encoding/json"
	"testing"
)

type order struct {
	ID, Customer, Street, City, Country, Currency, Status, Note string
	Items, Weight, Priority, Year                               int
	Total, Tax, Discount                                        float64
	Paid, Gift, Open                                            bool
	Tags                                                        []string
	Coupon                                                      *string
}

// BenchmarkUnmarshal compares a dict of 20 fields with the same data as JSON.
func BenchmarkUnmarshal(b *testing.B) {
	value := order{
		ID: "4711", Customer: "Ada Lovelace", Street: "12 St James's Square", City: "London", Country: "GB", Currency: "GBP", Status: "paid", Note: "leave at the door",
		Items: 3, Weight: 1200, Priority: -1, Year: 1843, Total: 99.95, Tax: 15.99, Discount: 0.5, Paid: true, Open: true, Tags: []string{"a", "b", "c"},
	}
	asPickle, err := Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	for _, into := range []string{"struct", "any"} {
		for name, decode := range map[string]func(any) error{
			"pickle": func(target any) error { return Unmarshal(asPickle, target) },
			"json":   func(target any) error { return json.Unmarshal(asJSON, target) },
		} {
			b.Run(into+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					var target any = new(any)
					if into == "struct" {
						target = new(order)
					}
					if err := decode(target); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
