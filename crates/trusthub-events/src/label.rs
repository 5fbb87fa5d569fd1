//! Closed sets of values. Only these may become a metric label, a log field or a reason header.

use serde::Serializer;

/// A value from a set that is fixed at compile time.
///
/// All metric labels are such values, so external input cannot create a time series.
pub trait Label: Copy + Eq + 'static {
    /// All values of the set, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The index of this value in [`Label::ALL`].
    fn index(self) -> usize;
    /// The text of this value in metrics and logs.
    fn as_str(self) -> &'static str;

    /// The value with this text, if there is one.
    #[must_use]
    fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == text)
    }

    /// The texts of the given values as a list, for error messages.
    #[must_use]
    fn list(values: &[Self]) -> String {
        values.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Serializes a value as its text.
///
/// # Errors
/// The errors of the serializer.
pub fn serialize_label<L: Label, S: Serializer>(label: &L, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(label.as_str())
}

/// Declares an enum with its `Label` implementation and its `Display`.
///
/// ```
/// use trusthub_events::{Label as _, closed_set};
///
/// closed_set! {
///     /// The answer to a question.
///     pub enum Answer {
///         /// It is so.
///         Yes => "yes",
///         /// It is not so.
///         No => "no",
///     }
/// }
///
/// assert_eq!(Answer::named("no"), Some(Answer::No));
/// assert_eq!(Answer::Yes.to_string(), "yes");
/// ```
#[macro_export]
macro_rules! closed_set {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$variant_meta:meta])* $variant:ident => $text:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )+ }

        impl $crate::Label for $name {
            const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($crate::Label::as_str(*self))
            }
        }
    };
}
// Other files of this crate find the macro here, as all other items of this file.
pub(crate) use closed_set;
