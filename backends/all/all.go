package all

import (
	"slices"

	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/dynamostore"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/redisstore"
	"github.com/cleatdev/cleat/sqlitestore"
	"github.com/cleatdev/cleat/storeurl"
)

// Registry returns a registry of all adapters of this module and of the given schemes, which replace those of the same name.
func Registry(others ...[]storeurl.Scheme) *backends.Registry {
	ours := [][]storeurl.Scheme{
		consulstore.Schemes(), dynamostore.Schemes(), memorystore.Schemes(), redisstore.Schemes(), sqlitestore.Schemes(),
	}
	return backends.New(slices.Concat(ours, others)...)
}
