// Package people is a database with one table, for programs in the documentation that
// run without a server.
package people

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
)

// Open returns a database with the table people, which has the columns id and name. It
// prints each query, and answers every one with the rows whose id is among its arguments.
func Open(names map[string]string) *sql.DB { return sql.OpenDB(table(names)) }

type table map[string]string

func (t table) Connect(context.Context) (driver.Conn, error) { return t, nil }
func (t table) Driver() driver.Driver                        { return nil }
func (t table) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (t table) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (t table) Close() error                                 { return nil }

// QueryContext answers a query for the columns id and name.
func (t table) QueryContext(_ context.Context, query string, arguments []driver.NamedValue) (driver.Rows, error) {
	found := new(rows)
	ids := make([]any, len(arguments))
	for i, argument := range arguments {
		ids[i] = argument.Value
		if name, ok := t[fmt.Sprint(argument.Value)]; ok {
			found.left = append(found.left, []driver.Value{argument.Value, name})
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
