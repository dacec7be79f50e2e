//! A resource of the API: it answers the methods that it has, refuses others by naming those, and answers in time.

use actix_web::dev::{AppService, Handler, HttpServiceFactory};
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::{FromRequest, HttpResponse, Responder, ResponseError as _, Route, web};

use super::time_limit;
use crate::problem::Problem;

/// A path with its methods.
pub struct ApiResource {
    path: &'static str,
    methods: Vec<Method>,
    routes: Vec<Route>,
}

/// The resource at a path, without methods yet.
pub fn resource(path: &'static str) -> ApiResource {
    ApiResource { path, methods: Vec::new(), routes: Vec::new() }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<F, Args>(self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.on(Method::$method, handler)
        }
    )+};
}

impl ApiResource {
    methods! {
        /// Answers GET.
        get GET,
        /// Answers HEAD.
        head HEAD,
        /// Answers POST.
        post POST,
        /// Answers PATCH.
        patch PATCH,
        /// Answers DELETE.
        delete DELETE,
    }

    fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.routes.push(web::method(method.clone()).to(handler));
        self.methods.push(method);
        self
    }
}

impl HttpServiceFactory for ApiResource {
    fn register(self, config: &mut AppService) {
        let allowed = self.methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let refuse = move || {
            let refused = no_method(&allowed);
            async move { refused }
        };
        let empty = web::resource(self.path).default_service(web::to(refuse)).wrap(from_fn(time_limit::limit));
        self.routes.into_iter().fold(empty, actix_web::Resource::route).register(config);
    }
}

fn no_method(allowed: &str) -> HttpResponse {
    let mut refused = Problem::NoMethod.error_response();
    if let Ok(allowed) = allowed.parse() {
        refused.headers_mut().insert(ALLOW, allowed);
    }
    refused
}
