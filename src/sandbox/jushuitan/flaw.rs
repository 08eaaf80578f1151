//! What can be wrong with a return of the simulated merchant, how often it is, and what becomes of it.
//!
//! Takes the place of a return, gives its flaw; never makes a document.

/// Bad returns come back at the same places of every cycle of this many returns (0.4 % of each kind).
const CYCLE: u32 = 250;

/// What is wrong with a planted bad return. A return has one flaw at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// The first line's material is none of the ERP's.
    UnknownMaterial,
    /// `io_date` is on the first day, for which the ERP's books are closed; no other return is dated so early.
    ClosedPeriod,
    /// The first line's `qty` is 0 or negative.
    BadQuantity,
    /// The ERP and the look-up tables do not know the distributor.
    UnknownDistributor,
    /// `items` is null or empty.
    NoLines,
    /// The first line's batches hold one more than the line.
    BatchSum,
    /// Not yet confirmed.
    WaitConfirm,
    Cancelled,
}

/// What should become of a return in the shipped pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Accepted,
    /// The ERP refuses it.
    Rejected,
    /// The mapping makes no document of it, with a reason.
    Blocked,
    /// The mapping leaves it out.
    LeftOut,
    /// A foreign document has its number.
    Conflict,
}

impl Flaw {
    /// Every kind, with its place in the cycle.
    pub const ALL: [(Flaw, u32); 8] = [
        (Flaw::UnknownMaterial, 17),
        (Flaw::ClosedPeriod, 41),
        (Flaw::BadQuantity, 66),
        (Flaw::UnknownDistributor, 91),
        (Flaw::NoLines, 116),
        (Flaw::BatchSum, 141),
        (Flaw::WaitConfirm, 166),
        (Flaw::Cancelled, 191),
    ];

    /// The flaw of a return by its place among the returns.
    pub fn at(place: u32) -> Option<Flaw> {
        Flaw::ALL.iter().find(|(_, at)| *at == place % CYCLE).map(|(flaw, _)| *flaw)
    }

    /// The name in the truth.
    pub fn name(self) -> &'static str {
        match self {
            Flaw::UnknownMaterial => "unknown_material",
            Flaw::ClosedPeriod => "closed_period",
            Flaw::BadQuantity => "bad_quantity",
            Flaw::UnknownDistributor => "unknown_distributor",
            Flaw::NoLines => "no_lines",
            Flaw::BatchSum => "batch_sum",
            Flaw::WaitConfirm => "wait_confirm",
            Flaw::Cancelled => "cancelled",
        }
    }

    pub fn fate(self) -> Fate {
        match self {
            Flaw::UnknownMaterial | Flaw::ClosedPeriod | Flaw::BadQuantity => Fate::Rejected,
            Flaw::UnknownDistributor | Flaw::NoLines | Flaw::BatchSum => Fate::Blocked,
            Flaw::WaitConfirm | Flaw::Cancelled => Fate::LeftOut,
        }
    }
}
