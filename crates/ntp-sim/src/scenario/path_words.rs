//! The lines that say what a path is like.

use super::{reader::Problem, tokens::Tokens};
use crate::{Path, Term};

/// What a line of a path says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathWord {
    Delay,
    Lose,
    Duplicate,
    InOrder,
}

/// Adds what the rest of a line says to a path.
pub(super) fn extend(path: Path, word: PathWord, line: &mut Tokens) -> Result<Path, Problem> {
    match word {
        PathWord::Delay => {
            let terms = sum(line)?;
            let window = line.window()?;
            Ok(terms
                .into_iter()
                .fold(path, |path, term| path.delayed(term, window)))
        }
        PathWord::Lose | PathWord::Duplicate => {
            let Some(share) = line.share()? else {
                return Err(line.unexpected("a share such as `10 %`"));
            };
            let window = line.window()?;
            Ok(if word == PathWord::Lose {
                path.losing(share, window)
            } else {
                path.duplicating(share, window)
            })
        }
        PathWord::InOrder => Ok(path.in_order()),
    }
}

/// `10 ms + exp(1 ms) + 5 % exp(50 ms)`
fn sum(line: &mut Tokens) -> Result<Vec<Term>, Problem> {
    line.sign('+');
    let mut terms = vec![term(line)?];
    while line.sign('+') {
        terms.push(term(line)?);
    }
    Ok(terms)
}

fn term(line: &mut Tokens) -> Result<Term, Problem> {
    if let Some(share) = line.share()? {
        let term = Box::new(term(line)?);
        return Ok(Term::Sometimes { share, term });
    }
    let Some(law) = line.word() else {
        return Ok(Term::Fixed(line.span()?));
    };
    let known = ["exp", "gamma", "lognormal", "gauss"];
    if !known.contains(&law.as_str()) {
        return Err(Problem::Word {
            word: law,
            known: "a time, exp(MEAN), gamma(SHAPE, MEAN), lognormal(SIGMA, MEAN), \
                    gauss(DEVIATION), or one of them after a share such as `5 %`",
        });
    }
    line.expect_sign('(')?;
    let shape = |line: &mut Tokens| {
        let shape = line.number("a number")?;
        if !(1e-3..=1e3).contains(&shape) {
            return Err(Problem::Shape(shape));
        }
        line.expect_sign(',')?;
        Ok(shape)
    };
    let term = match law.as_str() {
        "exp" => Term::Exponential { mean: line.span()? },
        "gamma" => Term::Gamma {
            shape: shape(line)?,
            mean: line.span()?,
        },
        "lognormal" => Term::LogNormal {
            sigma: shape(line)?,
            mean: line.span()?,
        },
        _ => Term::Gaussian {
            deviation: line.span()?,
        },
    };
    line.expect_sign(')')?;
    Ok(term)
}
