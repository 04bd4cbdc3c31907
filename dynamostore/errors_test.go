package dynamostore

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// Every kind of refusal has its sentinel and says what to do, by its code; what the service says about signatures, which
// repeats tokens, is left out.
func TestStore_Errors_AreToldApartByCode(t *testing.T) {
	const secret = "session-token-in-the-message"
	for _, test := range []struct {
		status       int
		code         string
		read, write  error
		advice       string
		showsMessage bool
	}{
		{400, "ProvisionedThroughputExceededException", core.ErrUnavailable, core.ErrUnavailable, "raise the capacity", true},
		{400, "ThrottlingException", core.ErrUnavailable, core.ErrUnavailable, "raise the capacity", true},
		{400, "RequestLimitExceeded", core.ErrUnavailable, core.ErrUnavailable, "raise the capacity", true},
		{500, "InternalServerError", core.ErrUnavailable, core.ErrUnavailable, "", true},
		{503, "ServiceUnavailable", core.ErrUnavailable, core.ErrUnavailable, "", true},
		{400, "SomethingNew", core.ErrUnavailable, core.ErrUnavailable, "", true},
		{400, "ResourceNotFoundException", core.ErrUnavailable, core.ErrUnavailable, "create the table", true},
		{400, "AccessDeniedException", core.ErrUnavailable, core.ErrReadOnly, "grant the credentials", true},
		{400, "ItemCollectionSizeLimitExceededException", core.ErrTooLarge, core.ErrTooLarge, "local secondary index", true},
		{400, "TransactionConflictException", core.ErrConflict, core.ErrConflict, "other writers", true},
		{400, "ExpiredTokenException", core.ErrUnavailable, core.ErrUnavailable, "credentials have expired", false},
		{400, "UnrecognizedClientException", core.ErrUnavailable, core.ErrUnavailable, "check the credentials", false},
		{400, "InvalidSignatureException", core.ErrUnavailable, core.ErrUnavailable, "check the credentials", false},
		{400, "IncompleteSignature", core.ErrUnavailable, core.ErrUnavailable, "check the credentials", false},
		{403, "MissingAuthenticationToken", core.ErrUnavailable, core.ErrUnavailable, "check the credentials", false},
	} {
		t.Run(test.code, func(t *testing.T) {
			client, rec := recordingClient(t, nil)
			table := freshTable(t)
			store := newStore(t, client, table, Options{})
			require.NoError(t, store.CheckAvailability(t.Context()))
			rec.intercept = always(func() *http.Response { return failure(test.status, test.code, "because "+secret) })
			_, _, err := store.Get(within(t, time.Second), core.Flags, "a")
			require.ErrorIs(t, err, test.read)
			_, upsertErr := store.Upsert(within(t, time.Second), core.Flags, "a", storetest.Item("a", 1))
			require.ErrorIs(t, upsertErr, test.write)
			for _, err := range []error{err, upsertErr} {
				require.Contains(t, err.Error(), test.code)
				require.Contains(t, err.Error(), test.advice)
				require.Contains(t, err.Error(), table)
				if test.showsMessage {
					require.Contains(t, err.Error(), "because")
				} else {
					require.NotContains(t, err.Error(), secret)
				}
				var cause smithy.APIError
				require.ErrorAs(t, err, &cause)
				require.Equal(t, test.code, cause.ErrorCode())
			}
		})
	}
}

// Reasons of a cancelled transaction mean what they mean for a single write.
func TestStore_ApplyChangeSet_CancellationReasons(t *testing.T) {
	for reason, want := range map[string]error{
		"TransactionConflict": core.ErrConflict, "ProvisionedThroughputExceeded": core.ErrUnavailable,
		"ThrottlingError": core.ErrUnavailable, "ItemCollectionSizeLimitExceeded": core.ErrTooLarge,
		"ValidationError": core.ErrInvalid, "AccessDenied": core.ErrUnavailable,
	} {
		client, rec := recordingClient(t, nil)
		store := newStore(t, client, freshTable(t), Options{})
		require.NoError(t, store.CheckAvailability(t.Context()))
		rec.intercept = always(func() *http.Response {
			return cancellation("None", reason)
		}, "TransactWriteItems")
		results, err := store.ApplyChangeSet(within(t, time.Second), []core.KindAndKeyedItem{
			{Kind: core.Flags, Key: "a", Item: storetest.Item("a", 1)}, {Kind: core.Flags, Key: "b", Item: storetest.Item("b", 1)},
		})
		require.ErrorIs(t, err, want, reason)
		require.Nil(t, results)
	}
}

// Without usable credentials, every call says so.
func TestStore_NoCredentials_IsUnavailable(t *testing.T) {
	opts := forOpen(t, Options{})
	opts.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("the vault is closed")
	})
	store, err := Open(t.Context(), "table", opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	for _, call := range storetest.Calls(store) {
		err := call.Run(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable, call.Name)
		require.Contains(t, err.Error(), "the vault is closed", call.Name)
	}
}
