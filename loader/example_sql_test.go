package loader_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/loader"
)

// A batch loader over SQL: one query loads all names that are not stored.
func ExampleNewMany() {
	ctx := context.Background()
	db := sql.OpenDB(people{"1": "Ada", "2": "Grace", "3": "Edsger"})
	defer db.Close()

	names := loader.NewMany(open(), loader.Policy{
		Fresh:   time.Minute,
		Missing: 10 * time.Second,
	}, func(ctx context.Context, ids []string) (map[string]string, error) {
		arguments := make([]any, len(ids))
		for i, id := range ids {
			arguments[i] = id
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ")
		rows, err := db.QueryContext(ctx, "SELECT id, name FROM people WHERE id IN ("+marks+")", arguments...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		found := make(map[string]string, len(ids))
		for rows.Next() {
			var id, name string
			if err := rows.Scan(&id, &name); err != nil {
				return nil, err
			}
			found[id] = name
		}
		return found, rows.Err() // ids without a row are missing
	})
	defer names.Close()

	for _, ids := range [][]string{{"1", "2"}, {"2", "3", "4"}} {
		results, err := names.GetMany(ctx, ids...)
		for i, r := range results {
			fmt.Printf("%s: %q %v\n", ids[i], r.Value, r.OK)
		}
		fmt.Println(err)
	}
	// Output:
	// SELECT id, name FROM people WHERE id IN (?, ?) [1 2]
	// 1: "Ada" true
	// 2: "Grace" true
	// <nil>
	// SELECT id, name FROM people WHERE id IN (?, ?) [3 4]
	// 2: "Grace" true
	// 3: "Edsger" true
	// 4: "" false
	// <nil>
}

// people is a database with one table.
type people map[string]string

func (p people) Connect(context.Context) (driver.Conn, error) { return p, nil }
func (p people) Driver() driver.Driver                        { return nil }
func (p people) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (p people) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (p people) Close() error                                 { return nil }

// QueryContext answers the query of the example.
func (p people) QueryContext(_ context.Context, query string, arguments []driver.NamedValue) (driver.Rows, error) {
	found := new(rows)
	var ids []any
	for _, argument := range arguments {
		id := argument.Value.(string)
		ids = append(ids, id)
		if name, ok := p[id]; ok {
			found.left = append(found.left, []driver.Value{id, name})
		}
	}
	fmt.Println(query, ids)
	return found, nil
}

type rows struct{ left [][]driver.Value }

func (r *rows) Columns() []string { return []string{"id", "name"} }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(row []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	copy(row, r.left[0])
	r.left = r.left[1:]
	return nil
}
