{#-
  End a run as failed, with a sentence for each refused file, after everything else has been built. Runs that did not
  judge landed files (no raw model of lines, no model <source>_files among `results`) say nothing.

  The hook is a statement that fails: an exception raised here would end dbt as if by a keyboard interrupt, without its
  results (dbt-core 1.11.16). `cache table` is evaluated at once, a plain select never.
-#}
{% macro fail_on_refused_files(results) %}
    {%- if execute -%}
        {%- set built = [] -%}
        {%- for result in results if result.node.resource_type == 'model' and result.status == 'success' -%}
            {% do built.append(result.node.name) %}
        {%- endfor -%}
        {%- set sentences = [] -%}
        {%- for source in _declared_sources() -%}
            {%- set sql = none -%}
            {%- if source.arrives == 'events' and source.name ~ '_files' in built -%}
                {%- set sql = 'select path, reason from ' ~ _place_of(source.name ~ '_files') ~ " where status = 'refused'" -%}
            {%- elif source.arrives == 'growing_lines' and 'raw_' ~ source.name in built -%}
                {%- set sql = 'select path, reason from (' ~ _refused_files_of_lines(source) ~ ") where status = 'refused'" -%}
            {%- endif -%}
            {%- set reads = [_place_of(source.name ~ '_files') if source.arrives == 'events' else _built_relation('loaded_files')] -%}
            {%- for row in (_answer('refused of ' ~ source.name, sql ~ ' order by path', reads) if sql else []) -%}
                {#- A line for each, whatever the name holds. -#}
                {% do sentences.append(
                    'The file ' ~ row[0] | replace('\n', '\\n') | replace('\r', '\\r') ~ ' was refused: ' ~ row[1]
                    ~ '; mend it or take it away, and everything else is built.'
                ) %}
            {%- endfor -%}
        {%- endfor -%}
        {#- What has passed is kept by now, whatever this hook ends in; its own answers are not. -#}
        {% do modules.strata.keep_passed() %}
        {%- if sentences -%}
            cache table refused_files as select raise_error({{ _text_literal('\n' ~ sentences | join('\n')) }})
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- The refused files of lines, with their status: `refused`, or `gone` where one has left the landing folder. -#}
{% macro _refused_files_of_lines(source) -%}
    select
        known.*,
        if(gone.path is null, 'refused', 'gone') as status
    from ({{ _known_files(source) }} and reason is not null) as known
    left join ({{ _gone_files(source) }}) as gone on known.path = gone.path
{%- endmacro %}
