//! An authenticated request with a body, which is read only after the caller is known.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use crate::auth::Caller;
use crate::input::Body;
use crate::problem::Problem;
use crate::state::AppState;

/// Who sends what.
#[derive(Debug)]
pub struct Submission {
    /// Who asks.
    pub caller: Caller,
    /// With what.
    pub body: Body,
}

impl FromRequest for Submission {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller = Caller::of(&request).await?;
            let state = request.app_data::<Data<AppState>>().ok_or(Problem::Internal("no application state"))?;
            let body = Body::read(request.headers(), payload, state.times.body()).await?;
            Ok(Self { caller, body })
        })
    }
}
