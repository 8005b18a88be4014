# What an admin gets. The agent is 0711: not readable, so not dumpable and not to be traced by its user.
# Directories that we make others cannot write, and our own they can enter, whatever the umask: root executes
# from them, and users must reach the agent.
set(CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
	GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
foreach(_own ${CKPT_LIBEXECDIR} ${CMAKE_INSTALL_DATADIR}/ckpt-resume
		${CMAKE_INSTALL_DATADIR}/ckpt-resume/slurm.conf.d)
	install(DIRECTORY DESTINATION ${_own})
endforeach()
foreach(_target ckpt-hook ckpt-jobinfo ckpt-companion)
	if(TARGET ${_target})
		install(TARGETS ${_target} RUNTIME DESTINATION ${CKPT_LIBEXECDIR})
	endif()
endforeach()
if(TARGET ckpt-agent)
	install(TARGETS ckpt-agent RUNTIME DESTINATION ${CKPT_LIBEXECDIR}
		PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
endif()
if(TARGET ckptctl)
	install(TARGETS ckptctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
# The snippets name the paths of this very installation: `cmake --install build --prefix DIR` may choose
# another prefix than the one compiled in, and then the configuration has to say where the agent is.
configure_file(slurm.conf.d/ckpt-resume.conf.in slurm.conf.d/ckpt-resume.conf @ONLY)
install(CODE "
	get_filename_component(CKPT_LIBEXEC \"${CKPT_LIBEXECDIR}\" ABSOLUTE
		BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
	set(CKPT_SLURM_PLUGIN_DIR \"${CKPT_SLURM_PLUGIN_DIR}\")
	set(compiled \"${CKPT_LIBEXEC}\")
	set(to \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/ckpt-resume/slurm.conf.d\")
	foreach(conf ckpt-resume.conf hooks.conf plugstack.conf)
		configure_file(\"${PROJECT_SOURCE_DIR}/slurm.conf.d/\${conf}.in\" \"\${to}/\${conf}\" @ONLY)
		list(APPEND CMAKE_INSTALL_MANIFEST_FILES
			\"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/ckpt-resume/slurm.conf.d/\${conf}\")
	endforeach()
	if(NOT CKPT_LIBEXEC STREQUAL compiled)
		file(APPEND \"\${to}/ckpt-resume.conf\"
			\"\\n# Installed below another prefix than the one compiled in:\\nAgent=\${CKPT_LIBEXEC}/ckpt-agent\\n\")
		message(STATUS \"The agent is not where it was compiled to be: install \${to}/ckpt-resume.conf \"
			\"beside slurm.conf, or configure with -DCMAKE_INSTALL_PREFIX=\${CMAKE_INSTALL_PREFIX}\")
	endif()
")

# Last: Slurm's plugin directory is root's, and whoever installs below a prefix of their own still gets the rest.
if(TARGET ckpt_resume)
	install(TARGETS ckpt_resume LIBRARY DESTINATION ${CKPT_SLURM_PLUGIN_DIR})
endif()
