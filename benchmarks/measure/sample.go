package measure

// Side is one of those that are compared.
type Side string

// The sides.
const (
	// Ours is cleat.
	Ours Side = "ours"
	// Theirs is LaunchDarkly's SDK.
	Theirs Side = "theirs"
	// Bare is the driver or evaluator alone, which both are built upon.
	Bare Side = "bare"
)

// Sides returns all sides.
func Sides() []Side { return []Side{Ours, Theirs, Bare} }

// Metric names what is measured.
type Metric string

// The metrics, each per operation unless it says otherwise.
const (
	Time        Metric = "time"        // nanoseconds
	Allocations Metric = "allocations" // on the heap, by the whole process
	Bytes       Metric = "bytes"       // allocated, by the whole process
	Requests    Metric = "requests"    // round trips to the server
	Writes      Metric = "writes"      // items that the server was asked to write
	Heap        Metric = "heap"        // bytes held per item
	Rate        Metric = "rate"        // operations per second
	Speedup     Metric = "speedup"     // throughput on two cores relative to one
	Growth      Metric = "growth"      // the exponent by which the time grows with the amount of data
	Percentile  Metric = "99th percentile"
)

// Sample is what one side needed in one round. A metric that is absent was not measured.
type Sample map[Metric]float64

// Round has a sample of each side that takes part.
type Round map[Side]Sample
