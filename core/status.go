package core

import (
	"fmt"
	"time"
)

// DataStoreStatus says whether a persistent store works.
type DataStoreStatus struct {
	// Available is normally true. It is false while the database does not answer, or does not take what is written, which is
	// found out by checks and not by one failed call.
	Available bool `json:"available"`
	// Stale is true if the database lacks something that only the data source can send again, so that all data should be
	// fetched and written again. What the store still has in memory it writes again by itself.
	Stale bool `json:"stale"`
	// Since is when Available or Stale last changed, or when the store was made; the zero value if the store does not say.
	Since time.Time `json:"since,omitzero"`
	// LastError is why the store was last not as it should be, also if that is over; "" if it always was. It is for people, and
	// contains no secrets.
	LastError string `json:"lastError,omitempty"`
}

// SameState reports whether both say that a store works equally well, since whenever and for whatever reason.
func (s DataStoreStatus) SameState(other DataStoreStatus) bool {
	return s.Available == other.Available && s.Stale == other.Stale
}

// DataStoreStatusProvider tells of the status of the data store.
type DataStoreStatusProvider interface {
	// Status returns the current status. A store that lives in memory is always available.
	Status() DataStoreStatus

	// MonitoringEnabled reports whether the store announces when it becomes unavailable, and again when it recovers.
	// It is false for a store in memory.
	MonitoringEnabled() bool

	// AddListener calls listener with every new status until remove is called, as the package documentation says under Listeners.
	AddListener(listener func(DataStoreStatus)) (remove func())
}

// DataStoreUpdateSink is how a store reports its status. The wrapper of package caching reports to one that tells its listeners.
type DataStoreUpdateSink interface {
	// UpdateStatus announces the status to all listeners unless it is the same state as the last one.
	UpdateStatus(status DataStoreStatus)
}

// DataSourceState is the state of a data source.
type DataSourceState string

const (
	// DataSourceInitializing is the state until the first data has arrived.
	DataSourceInitializing DataSourceState = "initializing"
	// DataSourceValid means that the data source works.
	DataSourceValid DataSourceState = "valid"
	// DataSourceInterrupted means that it does not, but is trying.
	DataSourceInterrupted DataSourceState = "interrupted"
	// DataSourceOff is final: the client was closed, or met an error that cannot heal, such as a file that cannot be read
	// and is not to be read again. A rejected SDK key is none: it may be accepted later, so it is tried now and then.
	DataSourceOff DataSourceState = "off"
)

// DataSourceErrorKind tells errors of a data source apart.
type DataSourceErrorKind string

const (
	// DataSourceErrorUnknown is an error that fits nowhere else.
	DataSourceErrorUnknown DataSourceErrorKind = "unknown"
	// DataSourceErrorNetwork is an I/O error.
	DataSourceErrorNetwork DataSourceErrorKind = "network_error"
	// DataSourceErrorResponse is an HTTP response that says error.
	DataSourceErrorResponse DataSourceErrorKind = "error_response"
	// DataSourceErrorInvalidData is data that could not be understood.
	DataSourceErrorInvalidData DataSourceErrorKind = "invalid_data"
	// DataSourceErrorStore means that the data store refused an update. The client itself reports it.
	DataSourceErrorStore DataSourceErrorKind = "store_error"
)

// DataSourceErrorInfo describes an error of a data source. The zero value is no error.
type DataSourceErrorInfo struct {
	Kind DataSourceErrorKind `json:"kind"`
	// HTTPStatus is the status code of an [DataSourceErrorResponse], otherwise 0.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// Message says what happened, for people. It contains no secrets.
	Message string `json:"message"`
	// Time is when it happened.
	Time time.Time `json:"time"`
}

// String returns the error on one line, or "" for no error.
func (e DataSourceErrorInfo) String() string {
	switch {
	case e.Kind == "":
		return ""
	case e.HTTPStatus != 0:
		return fmt.Sprintf("%s(%d): %s", e.Kind, e.HTTPStatus, e.Message)
	default:
		return fmt.Sprintf("%s: %s", e.Kind, e.Message)
	}
}

// DataSourceStatus is the status of a data source.
type DataSourceStatus struct {
	State DataSourceState `json:"state"`
	// StateSince is when State last changed.
	StateSince time.Time `json:"stateSince"`
	// LastError is the most recent error, also of an earlier state; the zero value if there was none yet.
	LastError DataSourceErrorInfo `json:"lastError,omitzero"`
	// Source names the one of several sources that is in use, such as "synchronizer 2 (polling)", and SourceSince is from when on it
	// is. Both are zero for a client that has one data source, and not a [DataSystem].
	Source      string    `json:"source,omitempty"`
	SourceSince time.Time `json:"sourceSince,omitzero"`
}

// DataSourceStatusProvider tells of the status of the data source.
type DataSourceStatusProvider interface {
	// Status returns the current status.
	Status() DataSourceStatus
	// AddListener calls listener with every new status until remove is called, as the package documentation says under Listeners.
	AddListener(listener func(DataSourceStatus)) (remove func())
}

// BigSegmentStoreStatus says whether big segments can be relied on.
type BigSegmentStoreStatus struct {
	// Available is false if the last query failed. A membership that is not known any more then counts as empty, and
	// the evaluation reason says STORE_ERROR.
	Available bool `json:"available"`
	// Stale is true if the store works but has not been brought up to date within the configured time. What is known is
	// then used, and the evaluation reason says STALE.
	Stale bool `json:"stale"`
}

// BigSegmentStoreStatusProvider tells of the status of the big segment store.
type BigSegmentStoreStatusProvider interface {
	// Status returns the current status. A client without a big segment store is never available.
	Status() BigSegmentStoreStatus
	// AddListener calls listener with every new status until remove is called, as the package documentation says under Listeners.
	AddListener(listener func(BigSegmentStoreStatus)) (remove func())
}
