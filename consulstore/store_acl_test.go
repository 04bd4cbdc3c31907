package consulstore

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

const managementToken = "6a1f3c9e-2d4b-4f7a-9c55-0b1e6d8a7f10"

// aclServer is a server that denies what no policy allows.
type aclServer struct {
	address string
	admin   *bare
}

func startACLServer(t *testing.T) *aclServer {
	t.Helper()
	server := containers.StartConsul(t, "-hcl",
		`acl { enabled = true, default_policy = "deny", tokens { initial_management = "`+managementToken+`" } }`)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(&api.Config{Address: server.Address, Token: managementToken, Transport: transport})
	require.NoError(t, err)
	s := &aclServer{server.Address, &bare{Client: client, transport: transport}}
	require.Eventually(t, func() bool { // until the token is known
		_, _, err := client.ACL().TokenReadSelf(nil)
		return err == nil
	}, soon*10, pollInterval)
	return s
}

// token makes a token with one policy.
func (s *aclServer) token(t *testing.T, rules string) string {
	t.Helper()
	policy, _, err := s.admin.ACL().PolicyCreate(&api.ACLPolicy{Name: storetest.Prefix(), Rules: rules}, nil)
	require.NoError(t, err)
	token, _, err := s.admin.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	require.NoError(t, err)
	return token.SecretID
}

// options are for the prefix app, and such that a few items are more than a transaction.
func (s *aclServer) options(token string) *Options {
	return &Options{Address: s.address, Token: token, Prefix: "app", MaxTransactionSize: 4000}
}

// everything calls all methods, with ordinary and awkward keys, and returns their errors: those of reads and those of writes.
func everything(t *testing.T, opts *Options) (reads, writes []error) {
	t.Helper()
	ctx := t.Context()
	store := openStore(t, *opts)
	for _, key := range []string{"k", "new\nline"} {
		_, _, err := store.Get(ctx, core.Flags, key)
		reads = append(reads, err)
		_, err = store.Upsert(ctx, core.Flags, key, storetest.Item(key, 1))
		writes = append(writes, err)
	}
	_, err := store.Upsert(ctx, core.Flags, "large", storetest.Sized("large", 1, 400_000))
	writes = append(writes, err)
	writes = append(writes, store.Init(ctx, []core.SerializedCollection{storetest.Flags(3, 1, 100)}))
	writes = append(writes, store.Init(ctx, []core.SerializedCollection{storetest.Flags(10, 2, 2000)}))
	writes = append(writes, store.Init(ctx, []core.SerializedCollection{storetest.Flags(2, 3, 100)}))
	_, err = store.GetAll(ctx, core.Flags)
	reads = append(reads, err)
	_, err = store.GetItems(ctx, core.Flags, []string{"flag-00001", "none"})
	reads = append(reads, err)
	_, err = store.GetItems(ctx, core.Segments, []string{"none"})
	reads = append(reads, err)
	_, err = store.GetAll(ctx, "unused")
	reads = append(reads, err)
	_, err = store.Initialized(ctx)
	reads = append(reads, err, store.CheckAvailability(ctx))

	segments, err := OpenBigSegments(ctx, opts)
	require.NoError(t, err)
	cursor, err := segments.Cursor(ctx)
	reads = append(reads, err)
	_, err = segments.ApplyPatch(ctx, core.BigSegmentPatch{
		SegmentRef: "s.g1", PreviousVersion: cursor, Version: cursor + "1", Included: core.BigSegmentChanges{Add: []string{"h", "i"}},
	})
	writes = append(writes, err, segments.SetLastUpToDate(ctx, 1))
	_, err = segments.Membership(ctx, "h")
	reads = append(reads, err)
	_, err = segments.Metadata(ctx)
	reads = append(reads, err)
	require.NoError(t, segments.Close())
	return reads, writes
}

func requireAll(t *testing.T, errs []error, want error, token string) {
	t.Helper()
	for i, err := range errs {
		require.ErrorIs(t, err, want, "error %d: %v", i, err)
		require.ErrorContains(t, err, "check the ACL token", "error %d", i)
		require.NotContains(t, err.Error(), token)
	}
}

// Permissions for the keys under the prefix are enough for everything, and keys beside them are out of reach.
func TestStore_LeastPrivilege_IsEnough(t *testing.T) {
	server := startACLServer(t)
	for _, key := range []string{"app2/features/a", "application-config/a"} {
		server.admin.write(t, key, []byte("1"))
	}
	token := server.token(t, `key_prefix "app/" { policy = "write" }`)
	reads, writes := everything(t, server.options(token))
	for i, err := range append(reads, writes...) {
		require.NoError(t, err, "error %d", i)
	}
	require.Len(t, server.admin.keysUnder(t, "app/features/"), 2)
	require.Len(t, server.admin.keysUnder(t, "app2/"), 1)
	require.Len(t, server.admin.keysUnder(t, "application-config/"), 1)

	opts := server.options(token)
	opts.Prefix = "app2"
	reads, writes = everything(t, opts)
	requireAll(t, append(reads, writes...), core.ErrUnavailable, token)
	require.Len(t, server.admin.keysUnder(t, "app2/"), 1)
}

// A token that may only read gets ErrReadOnly from writes, and nothing is lost.
func TestStore_ReadOnlyToken_IsReadOnly(t *testing.T) {
	server := startACLServer(t)
	_, writes := everything(t, server.options(managementToken))
	for _, err := range writes {
		require.NoError(t, err)
	}
	before := server.admin.keysUnder(t, "app/")
	reads, writes := everything(t, server.options(server.token(t, `key_prefix "app/" { policy = "read" }`)))
	for i, err := range reads {
		require.NoError(t, err, "error %d", i)
	}
	for i, err := range writes[:len(writes)-3] { // The last Init asks for what is there.
		require.ErrorIs(t, err, core.ErrReadOnly, "error %d", i)
		require.ErrorContains(t, err, "may only read")
	}
	for _, err := range writes[len(writes)-2:] {
		require.ErrorIs(t, err, core.ErrReadOnly)
	}
	require.Equal(t, before, server.admin.keysUnder(t, "app/"))
}

// A token that the server does not know, and none, are named as what is wrong.
func TestStore_WrongToken_IsUnavailableWithAdvice(t *testing.T) {
	server := startACLServer(t)
	_, err := openStore(t, *server.options(managementToken)).Upsert(t.Context(), core.Flags, "k", storetest.Item("k", 0))
	require.NoError(t, err)
	const unknown = "00000000-1111-2222-3333-444444444444"
	for _, token := range []string{unknown, ""} {
		opts := server.options(token)
		reads, writes := everything(t, opts)
		requireTokenAdvice(t, append(reads, writes...), unknown)
	}
}

// requireTokenAdvice is requireAll for errors of which some, from reads by transaction, come without a status.
func requireTokenAdvice(t *testing.T, errs []error, token string) {
	t.Helper()
	for i, err := range errs {
		require.ErrorIs(t, err, core.ErrUnavailable, "error %d: %v", i, err)
		require.NotContains(t, err.Error(), token)
	}
}

// A token file is read again when it has changed.
func TestStore_TokenFile_IsReadAgain(t *testing.T) {
	server := startACLServer(t)
	file := filepath.Join(t.TempDir(), "token")
	replace := func(token string) {
		require.NoError(t, os.WriteFile(file+".new", []byte(token+"\n"), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	first := server.token(t, `key_prefix "app/" { policy = "write" }`)
	replace(first)
	opts := server.options("")
	opts.TokenFile = file
	store := openStore(t, *opts)
	upsert := func(version int) error {
		_, err := store.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", version))
		return err
	}
	require.NoError(t, upsert(1))
	accessor, _, err := server.admin.ACL().TokenReadSelf(&api.QueryOptions{Token: first})
	require.NoError(t, err)
	_, err = server.admin.ACL().TokenDelete(accessor.AccessorID, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return upsert(2) != nil }, soon*10, pollInterval)
	replace(server.token(t, `key_prefix "app/" { policy = "write" }`))
	require.NoError(t, upsert(3))
	require.NoError(t, os.Remove(file))
	require.NoError(t, upsert(4), "the last one stays in use")
}

// Permission to read the keys under the prefix is enough to watch them.
func TestStore_Watch_ReadPermission_IsEnough(t *testing.T) {
	server := startACLServer(t)
	writer := openStore(t, *server.options(managementToken))
	require.NoError(t, writer.Init(t.Context(), []core.SerializedCollection{storetest.Flags(1, 1, 60)}))
	reader := openStore(t, *server.options(server.token(t, `key_prefix "app/" { policy = "read" }`)))
	changes := startWatch(t, reader, func(n int) {
		_, err := writer.Upsert(t.Context(), core.Flags, "k", storetest.Item("k", n))
		require.NoError(t, err)
	})
	settle(changes)
	_, err := writer.Upsert(t.Context(), core.Segments, "k", storetest.Item("k", 1))
	require.NoError(t, err)
	require.Equal(t, []core.Change{{Kind: core.Segments}}, settle(changes))
}
