// Package docs has the programs in the pages of docs, and the tests of these pages.
package docs
