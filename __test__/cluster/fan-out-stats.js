'use strict';
/** For `ask`: what a server's fan-out has done. */

exports.fanOut = (app) => app.get('globalChannelService').stats().fanOut;
