package migrations

import "github.com/launchdarkly/go-sdk-common/v3/ldmigration"

// ParseStage returns the stage that the text names. Text that names none is [ldmigration.Off].
func ParseStage(text string) ldmigration.Stage {
	stage, err := ldmigration.ParseStage(text)
	if err != nil {
		return ldmigration.Off
	}
	return stage
}

// plan says which origins an operation calls.
type plan struct {
	authoritative ldmigration.Origin
	other         ldmigration.Origin // empty if only the authoritative origin is called
}

func readPlan(stage ldmigration.Stage) plan {
	switch stage {
	case ldmigration.Shadow:
		return plan{authoritative: ldmigration.Old, other: ldmigration.New}
	case ldmigration.Live:
		return plan{authoritative: ldmigration.New, other: ldmigration.Old}
	case ldmigration.RampDown, ldmigration.Complete:
		return plan{authoritative: ldmigration.New}
	default:
		return plan{authoritative: ldmigration.Old}
	}
}

func writePlan(stage ldmigration.Stage) plan {
	switch stage {
	case ldmigration.DualWrite, ldmigration.Shadow:
		return plan{authoritative: ldmigration.Old, other: ldmigration.New}
	case ldmigration.Live, ldmigration.RampDown:
		return plan{authoritative: ldmigration.New, other: ldmigration.Old}
	case ldmigration.Complete:
		return plan{authoritative: ldmigration.New}
	default:
		return plan{authoritative: ldmigration.Old}
	}
}
